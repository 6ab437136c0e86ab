"""Silent bugs of trainings, each with a sound twin, before tools that look for such bugs."""
