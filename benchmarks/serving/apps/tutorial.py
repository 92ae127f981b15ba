"""What tutorials show: FastAPI with a Pydantic model and a plain function; `python tutorial.py FOLDER PORT`."""

import sys
from pathlib import Path

import joblib
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(Path(sys.argv[1]) / "model.joblib")
app = FastAPI()


class Rows(BaseModel):
    """What is sent."""

    X: list[list[float]]


@app.post("/predict")
def predict(rows: Rows) -> dict[str, list[float]]:
    """Answer rows."""
    return {"predictions": model.predict(rows.X).tolist()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), access_log=False)
