"""One composition root a role: unpacks the configuration into the settings of each part."""
