"""The array of entries: placed, mapped, populated, and resumed after a soft reset."""
