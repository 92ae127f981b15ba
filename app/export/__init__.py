"""Models in other forms: as programs, as ONNX, as one JSON document; and back from ONNX."""
