"""The raccoon suite: the user's own test rows, spoiled in every way that the world spoils them."""
