"""The array of entries: placed, mapped, populated, and taken up again after a soft reset."""
