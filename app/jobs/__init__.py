"""Jobs: trainings that run in processes of their own, followed from the outside."""
