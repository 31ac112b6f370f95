"""What the numbers of one model mean, and how two models differ: pure functions from configs and analyses to text."""
