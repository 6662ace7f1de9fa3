"""Composites to learn from, made as the matting literature makes them; nothing here needs torch."""

from active_matting.augmentation.colours import Camera, Light, change_light, photograph
from active_matting.augmentation.geometry import Geometry, place_object, place_scene
from active_matting.augmentation.label_maps import random_hints, random_patches, random_trimap
from active_matting.augmentation.layers import Layers, add_behind
from active_matting.augmentation.pictures import Cutout, Objects, Scenes, extend_foreground, make_cutout
from active_matting.augmentation.stream import Composite, CompositeStream, Recipe

__all__ = [
    "Camera",
    "Composite",
    "CompositeStream",
    "Cutout",
    "Geometry",
    "Layers",
    "Light",
    "Objects",
    "Recipe",
    "Scenes",
    "add_behind",
    "change_light",
    "extend_foreground",
    "make_cutout",
    "photograph",
    "place_object",
    "place_scene",
    "random_hints",
    "random_patches",
    "random_trimap",
]
