"""The contracts of files: uploads, what is seen of them, what takes them away."""
