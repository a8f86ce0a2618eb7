"""Layer 3: what an evaluation found, as one page of HTML and as pictures of its plots."""
