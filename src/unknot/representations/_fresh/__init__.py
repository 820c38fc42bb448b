"""Fresh weights for a model, drawn as its authors draw them; never from the trained ones."""
