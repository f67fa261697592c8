"""How fast `breakwater simulate` is, and how far its two models agree."""
