"""The flags of many frames in one call."""
