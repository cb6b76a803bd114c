"""Do what happens beside the gradient steps: validation, guards, resumable state."""
