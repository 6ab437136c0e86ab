"""How far sound and broken trainings deviate, in multiples of the response."""
