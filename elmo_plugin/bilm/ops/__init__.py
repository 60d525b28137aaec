"""The hot operations: each as its plain definition and, where there are any, fast peers with the same signature."""
