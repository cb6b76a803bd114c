"""What happens beside the gradient steps: validation, guards, resumable state."""
