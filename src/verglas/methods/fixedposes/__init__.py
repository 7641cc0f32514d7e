"""3D classification of particles whose poses are known and stay as they are."""
