"""The parts of information-flow matting: ties between pixels, trimming of the trimap, the energy."""
