"""The scikit-learn classifier trained by message passing: defaults, settings, compiled programs."""
