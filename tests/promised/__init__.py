"""README's table of bugs: three idioms of each row, and notes that prove themselves."""
