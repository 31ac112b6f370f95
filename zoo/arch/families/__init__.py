"""One file per family: each declares what the layers of its model types are made of."""
