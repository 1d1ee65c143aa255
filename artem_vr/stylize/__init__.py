"""The thread that paints, and the engines that execute a network."""
