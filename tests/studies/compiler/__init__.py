"""Small architectures, compiled by torch.compile and as they are written: do they train alike?"""
