"""What the admin API answers. No model here has a place for a credential, sealed or not."""
