"""One adapter per framework: how a model is run and its layers are read."""
