"""What the bridge does, without HTTP."""
