"""Models as people write them themselves, in the role of `model_cases`."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CASES = {}


def case(name):
    """Register a function under a name."""

    def register(build):
        CASES[name] = build
        return build

    return register


def vectors(width):
    """Return a function that makes n vectors."""
    return lambda n: np.random.default_rng(0).normal(size=(n, width)).astype("f4")


def images(size, channels=3):
    """Return a function that makes n images."""

    def make(n):
        return np.random.default_rng(0).normal(size=(n, channels, size, size)).astype("f4")

    return make


def ids(n):
    """Return n rows of tokens."""
    return np.random.default_rng(0).integers(0, 50, (n, 9))


def perceptron(depth, width=16):
    """Return linear layers, each followed by a norm and a ReLU."""
    parts = []
    for _ in range(depth):
        parts += [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(width, 3)).eval()


CASES["own.mlp3"] = lambda: (perceptron(3), vectors(16))
CASES["own.mlp10"] = lambda: (perceptron(10), vectors(16))
CASES["own.mlp50"] = lambda: (perceptron(50), vectors(16))


class Recurrent(nn.Module):
    """An embedding, a recurrent layer and a head on the last step."""

    def __init__(self, kind, batch_first):
        super().__init__()
        self.emb = nn.Embedding(50, 12)
        self.rnn = kind(12, 10, batch_first=batch_first)
        self.fc = nn.Linear(10, 3)

    def forward(self, x):
        x = self.emb(x)
        if not self.rnn.batch_first:
            x = x.transpose(0, 1)
        out, _ = self.rnn(x)
        return self.fc(out[:, -1] if self.rnn.batch_first else out[-1])


CASES["own.lstm_bf"] = lambda: (Recurrent(nn.LSTM, True).eval(), ids)
CASES["own.gru_seqfirst"] = lambda: (Recurrent(nn.GRU, False).eval(), ids)


class Encoder(nn.Module):
    """PyTorch's own transformer, with a mean over its tokens."""

    def __init__(self, batch_first):
        super().__init__()
        self.emb = nn.Embedding(50, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=batch_first)
        self.enc = nn.TransformerEncoder(layer, 5, enable_nested_tensor=False)
        self.fc = nn.Linear(16, 3)
        self.batch_first = batch_first

    def forward(self, x):
        x = self.emb(x)
        if self.batch_first:
            return self.fc(self.enc(x).mean(1))
        return self.fc(self.enc(x.transpose(0, 1)).mean(0))


CASES["own.torch_transformer_bf"] = lambda: (Encoder(True).eval(), ids)
CASES["own.torch_transformer_seqfirst"] = lambda: (Encoder(False).eval(), ids)


class Residual(nn.Module):
    """Two convolutions and a sum."""

    def __init__(self, width, inplace=False):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.bn = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.inplace = inplace

    def forward(self, x):
        y = functional.relu(self.bn(self.conv1(x)), inplace=self.inplace)
        y = self.conv2(y)
        if self.inplace:
            y += x
            return y.relu_()
        return functional.relu(y + x)


class Functional(nn.Module):
    """Ten residual blocks; ReLU, pooling and softmax are functions."""

    def __init__(self, inplace=False, checkpointed=False, tied=False):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        first = Residual(8, inplace)
        self.body = nn.ModuleList([first if tied else Residual(8, inplace) for _ in range(6)])
        self.fc = nn.Linear(8, 3)
        self.checkpointed = checkpointed

    def forward(self, x):
        x = functional.relu(self.stem(x))
        for block in self.body:
            if self.checkpointed:
                x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        x = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return functional.log_softmax(self.fc(x), dim=1)


CASES["own.functional"] = lambda: (Functional().eval(), images(16))
CASES["own.inplace"] = lambda: (Functional(inplace=True).eval(), images(16))
CASES["own.checkpointed"] = lambda: (Functional(checkpointed=True).eval(), images(16))
CASES["own.tied"] = lambda: (Functional(tied=True).eval(), images(16))
CASES["own.data_parallel"] = lambda: (nn.DataParallel(Functional()).eval(), images(16))
CASES["own.compiled"] = lambda: (torch.compile(Functional()).eval(), images(16))


class Variational(nn.Module):
    """A variational autoencoder, which returns a tuple."""

    def __init__(self):
        super().__init__()
        widths = (1, 8, 16, 24, 32)
        self.encoder = nn.Sequential(*(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU())
            for a, b in pairwise(widths)
        ))  # fmt: skip
        self.mu, self.logvar = nn.Linear(128, 8), nn.Linear(128, 8)
        self.up = nn.Linear(8, 128)
        back = widths[::-1]
        self.decoder = nn.Sequential(*(
            nn.Sequential(nn.ConvTranspose2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in pairwise(back)
        ))  # fmt: skip

    def forward(self, x):
        h = self.encoder(x).flatten(1)
        mu, logvar = self.mu(h), self.logvar(h)
        return self.decoder(self.up(mu).view(-1, 32, 2, 2)), mu, logvar


CASES["own.vae"] = lambda: (Variational().eval(), images(32, 1))


class Double(nn.Module):
    """Two convolutions with norms."""

    def __init__(self, a, b):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(True),
            nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(True),
        )  # fmt: skip

    def forward(self, x):
        return self.net(x)


class Down(nn.Module):
    """Pooling, then convolutions."""

    def __init__(self, a, b):
        super().__init__()
        self.pool, self.conv = nn.MaxPool2d(2), Double(a, b)

    def forward(self, x):
        return self.conv(self.pool(x))


class Up(nn.Module):
    """Upsampling, beside the skipped values, then convolutions."""

    def __init__(self, a, b):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(a, b, 2, 2), Double(2 * b, b)

    def forward(self, x, skip):
        return self.conv(torch.cat([skip, self.up(x)], 1))


class UNet(nn.Module):
    """Three steps down, three up."""

    def __init__(self):
        super().__init__()
        self.inc = Double(3, 8)
        self.down1, self.down2, self.down3 = Down(8, 16), Down(16, 32), Down(32, 64)
        self.up1, self.up2, self.up3 = Up(64, 32), Up(32, 16), Up(16, 8)
        self.outc = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        a = self.inc(x)
        b = self.down1(a)
        c = self.down2(b)
        d = self.down3(c)
        return self.outc(self.up3(self.up2(self.up1(d, c), b), a))


CASES["own.unet"] = lambda: (UNet().eval(), images(32))


class Siamese(nn.Module):
    """One encoder for two images."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            Double(3, 8), Double(8, 8), Double(8, 8),
            nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(8, 2)

    def forward(self, a, b):
        return self.head((self.encoder(a) - self.encoder(b)).abs())


class Towers(nn.Module):
    """Two encoders side by side."""

    def __init__(self):
        super().__init__()
        self.tower1, self.tower2 = perceptron(6), perceptron(6, 12)
        self.head = nn.Linear(6, 2)

    def forward(self, a, b):
        return self.head(torch.cat([self.tower1(a), self.tower2(b)], 1))


def _pair(first, second):
    return lambda n: (first(n), second(n)[::-1].copy())


CASES["own.siamese"] = lambda: (Siamese().eval(), _pair(images(16), images(16)))
CASES["own.two_towers"] = lambda: (Towers().eval(), _pair(vectors(16), vectors(12)))


class Wrapped(nn.Module):
    """Another model inside; returns a dict, or the scalar loss as well."""

    def __init__(self, model, result):
        super().__init__()
        self.model, self.result = model, result

    def forward(self, x):
        logits = self.model(x)
        if self.result == "dict":
            return {"logits": logits, "probabilities": logits.softmax(1)}
        if self.result == "loss":
            return logits.logsumexp(1).mean(), logits
        if self.result == "scalar":
            return logits.logsumexp(1).mean()
        return logits


def _wrapped(result):
    def build():
        import torchvision

        return Wrapped(torchvision.models.resnet18(weights=None), result).eval(), images(64)

    return build


CASES["own.lightning_resnet18"] = _wrapped("")
CASES["own.returns_dict"] = _wrapped("dict")
CASES["own.returns_loss"] = _wrapped("loss")
CASES["own.returns_scalar"] = _wrapped("scalar")
