"""The one table of STAR labels and the fields they become. Nowhere else are labels of particles and optics groups spelled out."""

from dataclasses import dataclass

from verglas.units import DEGREE


@dataclass(frozen=True)
class Column:
    """value in the package = value in the file * scale; default None: the column is required."""

    label: str
    scale: float = 1.0
    default: float | None = None


IMAGE_PIXEL_SIZE = "rlnImagePixelSize"
OPTICS_NUMBERS = {
    "voltage_kv": Column("rlnVoltage"),
    "cs_mm": Column("rlnSphericalAberration"),
    "amplitude_contrast": Column("rlnAmplitudeContrast"),
    "pixel_size": Column(IMAGE_PIXEL_SIZE),
}
OPTICS_FLAGS = {
    "ctf_premultiplied": "rlnCtfDataAreCtfPremultiplied",
    "ctf_corrected": "rlnCtfDataAreCtfCorrected",
    "phase_flipped": "rlnCtfDataArePhaseFlipped",
}
OPTICS_GROUP = "rlnOpticsGroup"
OPTICS_NAME = "rlnOpticsGroupName"
ORIGINAL_PIXEL_SIZE = "rlnMicrographOriginalPixelSize"
MICROGRAPH_PIXEL_SIZE = "rlnMicrographPixelSize"
IMAGE_SIZE = "rlnImageSize"
IMAGE_DIMENSIONALITY = "rlnImageDimensionality"
ODD_ZERNIKE = "rlnOddZernike"
EVEN_ZERNIKE = "rlnEvenZernike"
BEAM_TILT = ("rlnBeamTiltX", "rlnBeamTiltY")
MAGNIFICATION = ("rlnMagMat00", "rlnMagMat01", "rlnMagMat10", "rlnMagMat11")
MTF_FILE = "rlnMtfFileName"

DETECTOR_PIXEL_SIZE = "rlnDetectorPixelSize"
"""µm; RELION 3.0: pixel size in Å = 10^4 * rlnDetectorPixelSize / rlnMagnification."""
DETECTOR_MAGNIFICATION = "rlnMagnification"
OLD_OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast", DETECTOR_PIXEL_SIZE, DETECTOR_MAGNIFICATION, *BEAM_TILT)
OLD_DROPPED = ("rlnBeamTiltClass",)

DEFOCUS = {
    "u": Column("rlnDefocusU"),
    "v": Column("rlnDefocusV"),
    "angle": Column("rlnDefocusAngle", DEGREE, 0.0),
    "phase_shift": Column("rlnPhaseShift", DEGREE, 0.0),
    "bfactor": Column("rlnCtfBfactor", 1.0, 0.0),
    "scale": Column("rlnCtfScalefactor", 1.0, 1.0),
}
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
ORIGIN = ("rlnOriginXAngst", "rlnOriginYAngst")
ORIGIN_PIXELS = ("rlnOriginX", "rlnOriginY")
"""RELION 3.0; pixels of the image."""

CTF_IMAGE = "rlnCtfImage"
CTF_ASTIGMATISM = "rlnCtfAstigmatism"
CTF_MERIT = "rlnCtfFigureOfMerit"
CTF_RESOLUTION = "rlnCtfMaxResolution"
CTF_ICE = "rlnCtfIceRingDensity"
TILT = ("verglasTiltAngle", "verglasTiltAxis", "verglasTiltAngleError")
"""Degrees; the error is 90 where no tilt was found."""
THICKNESS = ("verglasIceThickness", "verglasIceThicknessError", "verglasIceThicknessBelow")
"""Å; thickness 0 where only the limit can be told."""
POWER_SPECTRUM = "rlnCtfPowerSpectrum"
MICROGRAPH_NO_DW = "rlnMicrographNameNoDW"

IMAGE_NAME = "rlnImageName"
MICROGRAPH_NAME = "rlnMicrographName"
MOVIE_NAME = "rlnMicrographMovieName"
DOSE_RATE = "rlnMicrographDoseRate"
"""e/Å² of a frame."""
GAIN_NAME = "rlnMicrographGainName"
COORDINATES = ("rlnCoordinateX", "rlnCoordinateY")
GROUP_NAME = "rlnGroupName"
GROUP_NUMBER = "rlnGroupNumber"
HALF = "rlnRandomSubset"
CLASS_NUMBER = "rlnClassNumber"
NORM = "rlnNormCorrection"

PARTICLE_LABELS = frozenset((
    *(column.label for column in DEFOCUS.values()), *ANGLES, *ORIGIN, *ORIGIN_PIXELS,
    IMAGE_NAME, GROUP_NUMBER, HALF, CLASS_NUMBER, NORM, OPTICS_GROUP,
))
"""Columns of the particle table that become fields; all others are kept in Particles.extra."""

OPTICS_LABELS = frozenset((
    *(column.label for column in OPTICS_NUMBERS.values()), *OPTICS_FLAGS.values(), OPTICS_GROUP, OPTICS_NAME, ORIGINAL_PIXEL_SIZE,
    IMAGE_SIZE, IMAGE_DIMENSIONALITY, ODD_ZERNIKE, EVEN_ZERNIKE, *BEAM_TILT, *MAGNIFICATION, MTF_FILE,
))
