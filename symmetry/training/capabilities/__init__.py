"""What a run may be able to do beside taking steps: one file a capability."""
