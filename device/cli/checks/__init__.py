"""What `parley doctor` looks at: each check a small function from the scene to its results."""
