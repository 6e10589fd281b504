"""A lab: machines of one's own on lent frames, and policies of allocation to try on them."""
