"""x86-64 page tables."""
