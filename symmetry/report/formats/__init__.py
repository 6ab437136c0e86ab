"""A check in the formats of CI systems: GitHub, SARIF and JUnit; one file each."""
