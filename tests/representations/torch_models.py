"""Small PyTorch models of the kinds that people have; imported only where PyTorch is there."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402


class Block(nn.Module):
    """A residual block whose one ReLU runs twice and in place, as torchvision's does."""

    def __init__(self, channels_in, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else None

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(4, 4), Block(4, 8))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.avgpool(self.layer1(x))
        return self.fc(self.dropout(torch.flatten(x, 1)))


class Transformer(nn.Module):
    """Token numbers to classes."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.3, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens):
        return self.head(self.encoder(self.embedding(tokens)).mean(1))


class Lstm(nn.Module):
    """Series (samples, times, features); inside, times come first."""

    def __init__(self, batch_first=False):
        super().__init__()
        self.batch_first = batch_first
        self.lstm = nn.LSTM(4, 6, num_layers=2, batch_first=batch_first)
        self.head = nn.Linear(6, 3)

    def forward(self, series):
        _, (hidden, _) = self.lstm(series if self.batch_first else series.transpose(0, 1))
        return {"logits": self.head(hidden[-1]), "hidden": hidden}


class Lenet(nn.Module):
    """The lab's LeNet, its weights those of a Keras model (height, width and channels swapped)."""

    def __init__(self, weights, side=28):
        super().__init__()
        conv1, bias1, conv2, bias2, dense1, bias3, dense2, bias4 = map(torch.tensor, weights)
        self.conv1, self.pool1 = nn.Conv2d(1, 16, 5), nn.MaxPool2d(2)
        self.conv2, self.pool2 = nn.Conv2d(16, 32, 5), nn.MaxPool2d(2)
        inside = ((side - 4) // 2 - 4) // 2
        self.fc1 = nn.Linear(32 * inside**2, 100)
        self.fc2 = nn.Linear(100, len(bias4))
        values = [
            *(conv1.permute(3, 2, 0, 1), bias1, conv2.permute(3, 2, 0, 1), bias2),
            dense1.reshape(inside, inside, 32, 100).permute(3, 2, 0, 1).flatten(1),
            *(bias3, dense2.T, bias4),
        ]
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), values, strict=True):
                parameter.copy_(value)

    def forward(self, x):
        x = self.pool1(torch.relu(self.conv1(x)))
        x = self.pool2(torch.relu(self.conv2(x)))
        x = torch.sigmoid(self.fc1(torch.flatten(x, 1)))
        return torch.softmax(self.fc2(x), 1)


def seeded(make, *arguments, **options):
    """Build a model with the same weights each time, its batch norms as after some training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make(*arguments, **options)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                nn.init.normal_(module.bias)
    return model
