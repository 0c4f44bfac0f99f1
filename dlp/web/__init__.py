"""What the agent shows over HTTP: metrics and health."""
