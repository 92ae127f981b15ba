"""What it costs to serve a small network: netlet against a bare server and against those who serve models today."""
