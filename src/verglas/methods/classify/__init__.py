"""Classification and ab-initio models: many references at once, by expectation-maximisation or by VDAM."""
