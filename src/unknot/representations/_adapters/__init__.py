"""One adapter per framework; `base` describes the interface and how to add a framework."""
