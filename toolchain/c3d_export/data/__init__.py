"""Layer 2: the workspace, and the frames of each game with their splits."""
