//! Names in a condition: each must be one that flows have.

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue};

use super::facts::{FIELDS, FUNCTIONS, VARIABLES, network};

/// Functions of the standard library that make sense on these variables. Operators have names that no identifier can have.
const STANDARD: [&str; 11] =
    ["size", "contains", "startsWith", "endsWith", "matches", "string", "int", "uint", "double", "bool", "type"];

struct Walk<'p> {
    program: &'p Program,
    /// Variables of `all`, `exists` and the like around this place.
    local: Vec<&'p str>,
}

/// Variables, fields and functions exist, networks are networks.
pub(super) fn names(program: &Program) -> Result<(), String> {
    Walk { program, local: Vec::new() }.expr(program.expression())
}

impl<'p> Walk<'p> {
    fn expr(&mut self, expr: &'p IdedExpr) -> Result<(), String> {
        match &expr.expr {
            Expr::Ident(name) => self.ident(expr, name),
            Expr::Select(select) => {
                if let Expr::Ident(of) = &select.operand.expr
                    && !self.local.contains(&of.as_str())
                {
                    self.field(expr, of, &select.field)?;
                }
                self.expr(&select.operand)
            }
            Expr::Call(call) => {
                self.function(expr, &call.func_name, &call.args)?;
                call.target.iter().try_for_each(|t| self.expr(t))?;
                call.args.iter().try_for_each(|a| self.expr(a))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|e| self.expr(e)),
            Expr::Map(map) => map.entries.iter().try_for_each(|e| self.entry(e)),
            Expr::Struct(of) => of.entries.iter().try_for_each(|e| self.entry(e)),
            Expr::Comprehension(c) => {
                self.expr(&c.iter_range)?;
                let before = self.local.len();
                self.local.extend([c.iter_var.as_str(), c.accu_var.as_str()]);
                self.local.extend(c.iter_var2.as_deref());
                for part in [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                    self.expr(part)?;
                }
                self.local.truncate(before);
                Ok(())
            }
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }

    fn entry(&mut self, entry: &'p IdedEntryExpr) -> Result<(), String> {
        match &entry.expr {
            EntryExpr::StructField(field) => self.expr(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.expr(&entry.key)?;
                self.expr(&entry.value)
            }
        }
    }

    fn ident(&self, at: &IdedExpr, name: &str) -> Result<(), String> {
        let known = VARIABLES.iter().any(|(v, _)| *v == name) || self.local.contains(&name);
        if known {
            return Ok(());
        }
        let all = VARIABLES.map(|(v, _)| v).join(", ");
        Err(format!("{}there is no variable `{name}`; variables are {all}", self.place(at)))
    }

    fn field(&self, at: &IdedExpr, of: &str, field: &str) -> Result<(), String> {
        let Some((_, fields)) = FIELDS.iter().find(|(name, _)| *name == of) else {
            return match VARIABLES.iter().any(|(v, _)| *v == of) {
                true => Err(format!("{}`{of}` is a plain value and has no `{field}`", self.place(at))),
                false => Ok(()),
            };
        };
        if fields.contains(&field) {
            return Ok(());
        }
        Err(format!("{}`{of}` has no `{field}`; it has {}", self.place(at), fields.join(", ")))
    }

    fn function(&self, at: &IdedExpr, name: &str, args: &[IdedExpr]) -> Result<(), String> {
        let operator = name.starts_with(['_', '@', '!', '-']);
        if !operator && !STANDARD.contains(&name) && !FUNCTIONS.contains(&name) {
            let all = STANDARD.iter().chain(&FUNCTIONS).copied().collect::<Vec<_>>().join(", ");
            return Err(format!("{}there is no function `{name}`; functions are {all}", self.place(at)));
        }
        match args {
            [_, IdedExpr { expr: Expr::Literal(LiteralValue::String(net)), .. }] if name == "inNet" => {
                let text = net.inner();
                network(text).map(|_| ()).ok_or_else(|| {
                    format!("{}`{text}` is no network such as \"10.0.0.0/8\" or \"fd00::/8\"", self.place(at))
                })
            }
            _ => Ok(()),
        }
    }

    /// Line and column in the condition, from 1.
    fn place(&self, at: &IdedExpr) -> String {
        let Some((start, _)) = self.program.source_info().offset_for(at.id) else { return String::new() };
        let before: String = self.program.source_info().source.chars().take(start as usize).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        format!("line {line}, column {column} of its condition: ")
    }
}
