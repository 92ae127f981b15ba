"""How small tables are learnt: steps that see all rows and choose their own length."""
