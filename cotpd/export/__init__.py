"""Writing a student for ONNX Runtime: its graphs, how well they agree with torch, and where they are kept."""
