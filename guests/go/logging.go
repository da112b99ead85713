package guest

import (
	"context"
	"log/slog"
)

// logger takes what log/slog and log are given to the host, which adds consumer, queue, message id and attempt, and knows
// which levels anybody wants to see.
type logger struct {
	fields [][2]string
	group  string
}

func (*logger) Enabled(context.Context, slog.Level) bool { return true }

func (l *logger) Handle(_ context.Context, record slog.Record) error {
	fields := append([][2]string{}, l.fields...)
	record.Attrs(func(attr slog.Attr) bool {
		fields = appendField(fields, l.group, attr)
		return true
	})
	host.Log(levelOf(record.Level), record.Message, fields)
	return nil
}

func (l *logger) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := append([][2]string{}, l.fields...)
	for _, attr := range attrs {
		fields = appendField(fields, l.group, attr)
	}
	return &logger{fields: fields, group: l.group}
}

func (l *logger) WithGroup(name string) slog.Handler {
	return &logger{fields: l.fields, group: l.group + name + "."}
}

// appendField appends an attribute, and those of a group one by one, with the group's name before theirs.
func appendField(fields [][2]string, group string, attr slog.Attr) [][2]string {
	value := attr.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		return append(fields, [2]string{group + attr.Key, value.String()})
	}
	if attr.Key != "" {
		group += attr.Key + "."
	}
	for _, member := range value.Group() {
		fields = appendField(fields, group, member)
	}
	return fields
}

func levelOf(level slog.Level) Level {
	switch {
	case level < slog.LevelDebug:
		return LevelTrace
	case level < slog.LevelInfo:
		return LevelDebug
	case level < slog.LevelWarn:
		return LevelInfo
	case level < slog.LevelError:
		return LevelWarn
	default:
		return LevelError
	}
}
