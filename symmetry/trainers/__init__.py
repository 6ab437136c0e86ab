"""The place where ``from_module`` used to be; people's scripts still import it from here."""
