"""Trainings on a Ray cluster: learnt on whichever node has room, told and saved here, as if they had run here."""
