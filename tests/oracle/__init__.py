"""The oracle: what transformers itself says, recorded or live. Needs the ``oracle`` extra except where data is read."""
