"""Where notices go outside the product: what a channel is, what it is told, and how that gets there safely."""
