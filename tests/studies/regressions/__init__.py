"""Scripts for regressions of libraries, each written from the text of a public issue."""
