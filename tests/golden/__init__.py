"""Golden files: models as they were released, with the rows and the answers of then."""
