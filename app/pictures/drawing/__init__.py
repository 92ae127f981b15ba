"""How pictures are drawn, with matplotlib; imported when the first one is asked for."""
