"""The model at work: what was asked and answered, the rules around it, and the people who step in."""
